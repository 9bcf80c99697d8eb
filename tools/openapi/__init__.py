"""The OpenAPI document: made of the routes that serve, the models that parse, the shapes that views answer.

`make openapi` writes it to chalicelib/web/openapi.json. tests/test_openapi.py holds that file against what would be
written, and every answer that any test gets is held against the file. What the code itself can't say of a route, its
id, its headers, its errors, stands in `operations/`: a route without an entry there fails that test.
"""
