# SPDX-License-Identifier: Apache-2.0
"""A script with @input_schema and @output_schema."""
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    pass


@input_schema("x", StandardPythonParameterType([1.0, 2.0]))
@input_schema("factor", StandardPythonParameterType(3))
@output_schema(StandardPythonParameterType({"sum": 6.0}))
def run(x, factor=5):
    if factor == 9:
        raise ValueError("nine")
    return {"sum": sum(x) * factor}
