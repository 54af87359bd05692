# SPDX-License-Identifier: Apache-2.0
def run(data):
    return data
