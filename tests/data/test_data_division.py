"""A share of each class, by hand."""

from collections import Counter

from mmie.data.division import stratified

CLASSES = {f"s{number}": "abc"[min(number // 8, 2)] for number in range(21)}  # 8 a, 8 b, 5 c


def test_a_quarter_of_each_class_in_the_datas_order() -> None:
    drawn = stratified(CLASSES, share=0.25, seed=0)
    assert Counter(CLASSES[name] for name in drawn) == {"a": 2, "b": 2, "c": 1}
    assert drawn == sorted(drawn, key=list(CLASSES).index)


def test_rounding_and_at_least_one() -> None:
    assert len(stratified({"x": "only"}, share=0.01, seed=0)) == 1
    assert len(stratified(dict.fromkeys("abcdef", "k"), share=0.25, seed=0)) == 2  # 1.5


def test_draws_belong_to_seed_and_class() -> None:
    drawn = {tuple(stratified(CLASSES, share=0.5, seed=seed)) for seed in range(5)}
    assert len(drawn) == 5
    fewer = {name: label for name, label in CLASSES.items() if label != "b"}
    both = [name for name in stratified(CLASSES, share=0.5, seed=3) if CLASSES[name] != "b"]
    assert stratified(fewer, share=0.5, seed=3) == both
