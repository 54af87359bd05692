# SPDX-License-Identifier: Apache-2.0
import time


def init():
    time.sleep(1000)


def run(data):
    return data
