# SPDX-License-Identifier: Apache-2.0
import no_such_module


def init():
    pass


def run(data):
    return no_such_module
