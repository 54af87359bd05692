# SPDX-License-Identifier: Apache-2.0
"""What of a source directory stays at home: git is asked the same."""

import os
import random
import shutil
import subprocess
import unittest
from pathlib import Path

from azureml.core._slipway import files
from azureml.core._slipway.ignore import Rules
from azureml.exceptions import UserErrorException
from case import FolderCase

PATHS = [
    "a", "b.py", "a.log", "debug.log", "build/x", "build/keep/y", "src/build/z", "src/a.py",
    "src/deep/er/b.py", "src/deep/b.log", "docs/a/b/c.txt", "docs/c.txt", "x y", "!odd", "#odd",
    "back\\slash", "[b]", "star*", "data/1.csv", "data/2.csv", "data/sub/3.csv", "end ", "ab-c",
]
LINES = [
    "*.log", "!debug.log", "build", "build/", "/build", "/build/", "build/*", "!build/keep",
    "!build/keep/", "src/*.py", "src/**", "src/**/b.py", "**/b.py", "**/build", "docs/**/c.txt",
    "docs/a/**", "/a", "a", "?", "x\\ y", "\\!odd", "\\#odd", "# a comment", "", "   ", "[b]",
    "\\[b\\]", "star\\*", "data/[0-9].csv", "data/[!1].csv", "data/[^2].csv", "data/[[:digit:]].*",
    "data/[1-", "data/**/3.csv", "end\\ ", "end ", "*", "!*/", "!src/", "!*.py", "**", "/**",
    "back\\\\slash", "trailing\\", "a**", "**a", "s*/deep", "ab[,--]c", "[]a]", "[a-c]", "[[:x:]]",
    "sr[c/]a.py", "do[!c]s", "/*", "!/src", "deep/", "*.py  ", "data//1.csv", "!data/1.csv",
]


class IgnoreTest(FolderCase):
    def taken(self):
        return [source.path for source in files.source_tree(Path("."), (".git",))]

    def git_takes(self):
        asked = subprocess.run(
            ["git", "-c", "core.excludesFile=/dev/null", "ls-files", "--others",
             "--exclude-standard", "-z"], check=True, stdout=subprocess.PIPE)
        return sorted(os.fsdecode(asked.stdout).split("\0")[:-1])

    @unittest.skipUnless(shutil.which("git"), "there is no git")
    def test_git_takes_the_same(self):
        subprocess.run(["git", "init", "-q", "."], check=True)
        for path in PATHS:
            self.write(path)
        dice = random.Random(20260311)
        for _ in range(150):
            texts = {
                place: "\n".join(dice.sample(LINES, dice.randint(1, 6)))
                for place in dice.sample((".gitignore", "src/.gitignore", "data/.gitignore"), 2)
            }
            for place in (".gitignore", "src/.gitignore", "data/.gitignore"):
                Path(place).unlink(missing_ok=True)
            for place, text in texts.items():
                self.write(place, text)
            self.assertEqual(sorted(self.taken()), self.git_takes(), texts)

    def test_amlignore_comes_before_gitignore(self):
        for path in ("a.txt", "b.txt"):
            self.write(path)
        self.write(".gitignore", "a.txt\n")
        self.assertEqual(self.taken(), [".gitignore", "b.txt"])
        self.write(".amlignore", "b.txt\n.*\n")
        self.assertEqual(self.taken(), ["a.txt"])

    def test_links_are_refused_unless_left_out(self):
        self.write("score.py")
        os.symlink("/etc", "outside")
        with self.assertRaisesRegex(UserErrorException, "outside is a link to /etc"):
            self.taken()
        self.write(".amlignore", "outside\n.amlignore\n")
        self.assertEqual(self.taken(), ["score.py"])
        os.mkfifo("pipe")
        with self.assertRaisesRegex(UserErrorException, "pipe is no regular file"):
            self.taken()

    def test_limits(self):
        for name in "abc":
            self.write(name)
        before = files._SOURCE_FILES_MAX, files._SOURCE_BYTES_MAX
        for limits in ((2, 1 << 20), (9, 2)):
            files._SOURCE_FILES_MAX, files._SOURCE_BYTES_MAX = limits
            try:
                with self.assertRaisesRegex(UserErrorException, "more than .*(?s:.*).amlignore"):
                    self.taken()
            finally:
                files._SOURCE_FILES_MAX, files._SOURCE_BYTES_MAX = before

    def test_an_ignore_file_of_odd_bytes(self):
        self.write("a")
        self.write(".amlignore", b"\xff\xfe\0[\n" + b"*" * 5000 + b"b\n.amlignore\n")
        self.assertEqual(self.taken(), ["a"])
        self.assertFalse(Rules(Path(".")).leaves_out("a", False))


if __name__ == "__main__":
    unittest.main()
