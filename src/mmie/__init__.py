"""mmie: multimodal information extraction with reasoning models (JMERE-R1, MORE-R1)."""
