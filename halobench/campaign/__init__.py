"""Everything worth knowing of a borrowed GPU, in parts that resume."""
