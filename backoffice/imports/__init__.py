"""Products, prices and stock that come in as a file: looked over first, then written by a job.

`files` reads cells, `columns` says what they mean, `products` writes the rows of a product, and
`runs` leads an import from the upload to its end.
"""
