# SPDX-License-Identifier: Apache-2.0
import os


def init():
    os._exit(0)


def run(data):
    return data
