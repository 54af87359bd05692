// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/conda_file.h"

#include <gtest/gtest.h>

#include "imagebuilder/python/environment_plan.h"

namespace slipway::imagebuilder {
namespace {

CondaFile MustParse(std::string_view text) {
  auto file = ParseCondaFile(text);
  EXPECT_TRUE(file.has_value()) << file.error().message;
  return file ? *std::move(file) : CondaFile{};
}

EnvironmentPlan MustPlan(std::string_view text, const PlanOptions& options = {},
                         std::string_view steps = "") {
  const CondaFile file = MustParse(text);
  auto parsed = ParseDockerSteps(steps);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
  auto plan = PlanEnvironment(file, parsed ? *parsed : std::vector<DockerStep>(), options);
  EXPECT_TRUE(plan.has_value()) << plan.error().message;
  return plan ? *std::move(plan) : EnvironmentPlan{};
}

using Texts = std::vector<std::string>;

/// As the old client's CondaDependencies writes it.
constexpr std::string_view kRendered =
    "# Conda environment specification. The dependencies defined in this file will\n"
    "# be automatically provisioned for runs with userManagedDependencies=False.\n"
    "\n"
    "# Details about the Conda environment file format:\n"
    "# https://conda.io/docs/user-guide/tasks/manage-environments.html\n"
    "\n"
    "name: project_environment\n"
    "dependencies:\n"
    "  # The python interpreter version.\n"
    "  # Currently Azure ML only supports 3.5.2 and later.\n"
    "- python=3.6.2\n"
    "\n"
    "- pip:\n"
    "    # Required packages for AzureML execution, history, and data preparation.\n"
    "  - azureml-defaults\n"
    "  - numpy\n"
    "  - onnxruntime==0.3.0\n"
    "- scikit-learn=0.20\n"
    "channels:\n"
    "- conda-forge\n";

TEST(CondaFile, ReadsWhatTheOldClientWrites) {
  const CondaFile file = MustParse(kRendered);
  EXPECT_EQ(file.name, "project_environment");
  EXPECT_EQ(file.python, "==3.6.2.*");
  EXPECT_EQ(file.python_line, 11);
  ASSERT_EQ(file.pip.size(), 3U);
  EXPECT_EQ(file.pip[1].requirement.name, "numpy");
  EXPECT_EQ(file.pip[2].line, 17);
  EXPECT_EQ(file.pip[2].requirement.specifier, "==0.3.0");
  ASSERT_EQ(file.conda.size(), 1U);
  EXPECT_EQ(file.channels, Texts{"conda-forge"});

  const EnvironmentPlan plan = MustPlan(kRendered);
  EXPECT_EQ(plan.requirements, (Texts{"numpy", "scikit-learn==0.20.*"}));
  EXPECT_EQ(plan.provided, (Texts{"azureml-defaults", "onnxruntime"}));
}

TEST(CondaFile, TakesPipListsWithAnyIndentAndChannelsAnywhere) {
  for (const char* indent : {"  ", "    ", "      "}) {
    const std::string text = std::string("channels: [defaults, conda-forge]\ndependencies:\n") +
                             "- pip:\n" + indent + "- numpy>=1.20,<2  # why\n" + indent +
                             "- pandas\n- python\n";
    const CondaFile file = MustParse(text);
    ASSERT_EQ(file.pip.size(), 2U) << text;
    EXPECT_EQ(file.pip[0].requirement.specifier, ">=1.20,<2");
    EXPECT_EQ(file.channels.size(), 2U);
  }
  EXPECT_TRUE(MustParse("dependencies:\n- pip:\n").pip.empty());
}

TEST(CondaFile, CondaVersionsAsPipSaysThem) {
  const std::pair<const char*, const char*> cases[] = {
      {"numpy", "numpy"},
      {"numpy=1.16", "numpy==1.16.*"},
      {"numpy=1.16.*", "numpy==1.16.*"},
      {"numpy==1.16.2", "numpy==1.16.2"},
      {"numpy 1.16.2", "numpy==1.16.2"},
      {"numpy >=1.16,<2", "numpy>=1.16,<2"},
      {"numpy >= 1.16 , < 2", "numpy>=1.16,<2"},
      {"'numpy>1.0,!=1.5'", "numpy>1.0,!=1.5"},
      {"numpy=1.16.2=py36_0", "numpy==1.16.2.*"},
      {"numpy 1.16.2 py36_0", "numpy==1.16.2"},
      {"conda-forge::numpy=1.16", "numpy==1.16.*"},
      {"numpy=1.16*", "numpy==1.16.*"},
      {"pytorch=1.0", "torch==1.0.*"},
      {"opencv", "opencv-python-headless"},
  };
  for (const auto& [conda, pip] : cases) {
    const EnvironmentPlan plan = MustPlan(std::string("dependencies:\n- ") + conda + "\n");
    EXPECT_EQ(plan.requirements, Texts{pip}) << conda;
  }
}

TEST(CondaFile, ShowsWhatACondaNameIsHere) {
  const EnvironmentPlan plan = MustPlan("dependencies:\n- ffmpeg\n- mkl\n- msgpack-python=1.0\n");
  EXPECT_EQ(plan.debian, Texts{"ffmpeg"});
  EXPECT_EQ(plan.requirements, Texts{"msgpack==1.0.*"});
  ASSERT_EQ(plan.notes.size(), 3U);
  EXPECT_EQ(plan.notes[0].message, "conda's ffmpeg is Debian's ffmpeg");
  EXPECT_EQ(plan.notes[0].line, 2);
  EXPECT_NE(plan.notes[1].message.find("not needed"), std::string::npos);
}

TEST(CondaFile, KeepsPipsOptions) {
  const CondaFile file = MustParse(
      "dependencies:\n- pip:\n  - --extra-index-url https://example.org/simple\n"
      "  - -f https://example.org/wheels\n  - --index-url=https://example.org/only\n  - --pre\n"
      "  - torch==1.13.1+cpu -f https://download.pytorch.org/whl\n"
      "  - thing @ https://example.org/thing-1.0-py3-none-any.whl\n"
      "  - requests[socks]>=2 ; python_version < '4'\n");
  ASSERT_EQ(file.options.size(), 5U);
  EXPECT_EQ(file.options[0].name, "--extra-index-url");
  EXPECT_EQ(file.options[1].name, "--find-links");
  EXPECT_EQ(file.options[2].value, "https://example.org/only");
  EXPECT_EQ(file.options[3].value, "");
  ASSERT_EQ(file.pip.size(), 3U);
  EXPECT_EQ(file.pip[0].requirement.text(), "torch==1.13.1+cpu");
  EXPECT_EQ(file.pip[1].requirement.text(),
            "thing @ https://example.org/thing-1.0-py3-none-any.whl");
  EXPECT_EQ(file.pip[2].requirement.text(), "requests[socks]>=2 ; python_version < '4'");
}

struct BadFile {
  const char* text;
  const char* message;  ///< a part of it
  const char* id = "Image.DependencyFile";
};

TEST(CondaFile, SaysLineAndThingOfWhatIsWrong) {
  const BadFile cases[] = {
      {"", "line 1: the file is empty"},
      {"- numpy\n", "line 1: the file must have members"},
      {"just text\n", "line 1: the file must have members"},
      {"name: x\ndependencies: numpy\n", "line 2: dependencies must be a list"},
      {"name: x\ndependencies:\n- pip: numpy\n", "line 3: pip must be a list"},
      {"dependencies:\n- npm:\n  - left-pad\n", "line 2: 'npm' is no list"},
      {"dependencies:\n- numpy\n- \n", "line 3: an entry of dependencies is empty"},
      {"dependencies:\n- numpy==\n", "line 2: 'numpy==': the version is missing"},
      {"dependencies:\n- numpy=1.15|1.16\n", "line 2: 'numpy=1.15|1.16': alternatives"},
      {"dependencies:\n- 'numpy[version=>1]'\n", "line 2"},
      {"dependencies:\n- python=abc\n", "line 2: python =abc"},
      {"dependencies:\n- pip:\n  - numpy=1.2\n", "line 3: '=1.2' is no version condition"},
      {"dependencies:\n- pip:\n  - numpy == \n", "line 3"},
      {"dependencies:\n- pip:\n  - '!!'\n", "line 3: '!!' is no package name"},
      {"dependencies:\n- pip:\n  - ./local.whl\n", "line 3: ./local.whl is a file"},
      {"dependencies:\n- pip:\n  - -r more.txt\n", "line 3: pip's option -r cannot"},
      {"dependencies:\n- pip:\n  - --extra-index-url\n", "line 3: pip's option"},
      {"dependencies:\n- pip:\n  - '--no-binary :all:'\n", "line 3: pip's option --no-binary"},
      {"dependencies:\n- pip:\n  - git+https://github.com/x/y\n", "line 3", "Image.NoWheel"},
      {"dependencies:\n- pip:\n  - -e .\n", "line 3", "Image.NoWheel"},
      {"dependencies:\n- pip:\n  - y @ git+https://github.com/x/y\n", "line 3", "Image.NoWheel"},
      {"dependencies:\n- pip:\n  - https://example.org/y.tar.gz\n", "line 3", "Image.NoWheel"},
      {"dependecies:\n- numpy\n", "line 1: unknown member 'dependecies'"},
      {"name: a\nname: b\n", "line 2: 'name' is there twice"},
      {"dependencies:\n- numpy\n  - pandas: [\n", "no valid YAML"},
      {"dependencies:\n\t- numpy\n", "no valid YAML"},
      {"name: x\ndependencies:\n- n\xFFumpy\n", "line 3: the text is not UTF-8"},
      {"dependencies: &a\n- *b\n", "no valid YAML"},
  };
  for (const BadFile& bad : cases) {
    const auto file = ParseCondaFile(bad.text);
    ASSERT_FALSE(file.has_value()) << bad.text;
    EXPECT_NE(file.error().message.find(bad.message), std::string::npos)
        << bad.text << ": " << file.error().message;
    EXPECT_EQ(file.error().id, bad.id) << bad.text;
  }
}

TEST(CondaFile, DeepNestingEndsInAnError) {
  const std::string deep(100'000, '[');
  EXPECT_FALSE(ParseCondaFile("dependencies: " + deep).has_value());
}

TEST(EnvironmentPlan, KeepsWhatIsToBeKept) {
  const char* text = "dependencies:\n- pip:\n  - onnxruntime>=1.15\n  - azureml-defaults\n";
  const EnvironmentPlan plan = MustPlan(text, {.keep = {"ONNXRuntime"}});
  EXPECT_EQ(plan.requirements, Texts{"onnxruntime>=1.15"});
  EXPECT_EQ(plan.provided, Texts{"azureml-defaults"});
  const EnvironmentPlan unasked = MustPlan("dependencies:\n", {.keep = {"onnxruntime"}});
  EXPECT_EQ(unasked.requirements, Texts{"onnxruntime"});
  const auto wrong = PlanEnvironment({}, {}, {.keep = {"numpy"}});
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().id, "Image.Keep");
}

TEST(EnvironmentPlan, ClosedPackagesWithoutAModuleAreNamed) {
  const char* text = "dependencies:\n- pip:\n  - azureml-train-automl==1.0.85\n  - six\n";
  const EnvironmentPlan plan = MustPlan(text, {});
  EXPECT_EQ(plan.requirements, Texts{"six"});
  EXPECT_EQ(plan.provided, Texts{"azureml-train-automl"});
  ASSERT_EQ(plan.notes.size(), 1U);
  EXPECT_EQ(plan.notes[0].code, "Image.NotInstalled");
  EXPECT_EQ(plan.notes[0].line, 3);
  const EnvironmentPlan kept = MustPlan(text, {.keep = {"azureml-train-automl"}});
  EXPECT_EQ(kept.requirements, (Texts{"azureml-train-automl==1.0.85", "six"}));
  EXPECT_EQ(kept.kept, Texts{"azureml-train-automl"});
  EXPECT_NE(PlanKey(kept, ""), PlanKey(plan, ""));
}

TEST(EnvironmentPlan, WhatAModuleOfOursNeedsComesWithIt) {
  const EnvironmentPlan plan =
      MustPlan("dependencies:\n- pip:\n  - onnxruntime\n  - numpy<2\n", {});
  EXPECT_EQ(plan.requirements, (Texts{"numpy", "numpy<2"}));
  EXPECT_EQ(plan.provided, Texts{"onnxruntime"});
}

TEST(EnvironmentPlan, TakesPackagesOutOfSteps) {
  const char* steps =
      "# as the notebooks have it\nRUN apt-get update\nRUN apt-get install -y libgomp1 curl && \\\n"
      "    rm -rf /var/lib/apt/lists/*\nRUN pip install --no-cache-dir requests==2.31.0\n"
      "RUN echo hello > /hello\nENV A=1 B=\"two words\"\n";
  const EnvironmentPlan plan = MustPlan("dependencies:\n", {}, steps);
  EXPECT_EQ(plan.debian, (Texts{"curl", "libgomp1"}));
  EXPECT_EQ(plan.requirements, Texts{"requests==2.31.0"});
  ASSERT_EQ(plan.steps.size(), 2U);
  EXPECT_EQ(plan.steps[0].text, "echo hello > /hello");
  EXPECT_EQ(plan.steps[1].pairs.at("B"), "two words");
  const EnvironmentPlan given =
      MustPlan("dependencies:\n", {.keep = {}, .debian_base = false}, steps);
  EXPECT_TRUE(given.debian.empty());
  EXPECT_EQ(given.steps.size(), 4U);
}

TEST(EnvironmentPlan, OneKeyForOneMeaning) {
  const std::string key = PlanKey(MustPlan("dependencies:\n- numpy\n- pip:\n  - pandas\n"), "");
  EXPECT_EQ(PlanKey(MustPlan("# c\ndependencies:\n- pip:\n    - pandas\n- numpy\n"), ""), key);
  EXPECT_NE(PlanKey(MustPlan("dependencies:\n- numpy\n- pip:\n  - pandas<2\n"), ""), key);
  EXPECT_NE(PlanKey(MustPlan("dependencies:\n- numpy\n- pip:\n  - pandas\n"), "other"), key);
  // A step that runs needs a shell in the base.
  const char* same = "dependencies:\n- numpy\n- pip:\n  - pandas\n";
  EXPECT_NE(PlanKey(MustPlan(same, {}, "RUN echo 1\n"), ""), key);
  EXPECT_EQ(PlanKey(MustPlan(same, {}, "ENV A=1\n"), ""), key);
}

TEST(DockerSteps, SaysWhatCannotBeAStep) {
  const BadFile cases[] = {
      {"FROM ubuntu\n", "line 1: FROM cannot be a step"},
      {"RUN a\nENTRYPOINT [\"x\"]\n", "line 2: ENTRYPOINT cannot be a step"},
      {"RUN\n", "line 1: nothing follows RUN"},
      {"\n\nINSTALL x\n", "line 3: 'INSTALL' is no instruction"},
      {"ENV A\n", "line 1: 'A' is no NAME=VALUE"},
      {"ENV A=\"x\n", "line 1: a \" is not closed"},
      {"COPY x\n", "line 1: COPY needs a source and a destination"},
      {"ADD https://example.org/x /x\n", "line 1: https://example.org/x is not fetched"},
      {"RUN a \\", "line 1: the last line ends with a backslash"},
      {"RUN \xFF\n", "not UTF-8"},
      {"COPY --from=x /a /b\n", "line 1: COPY's option --from=x"},
  };
  for (const BadFile& bad : cases) {
    const auto steps = ParseDockerSteps(bad.text);
    ASSERT_FALSE(steps.has_value()) << bad.text;
    EXPECT_NE(steps.error().message.find(bad.message), std::string::npos)
        << bad.text << ": " << steps.error().message;
    EXPECT_EQ(steps.error().id, "Image.DockerFile");
  }
}

TEST(Requirement, ComparesVersions) {
  const auto fits = [](const char* version, const char* specifier) {
    const auto result = Satisfies(version, specifier);
    EXPECT_TRUE(result.has_value()) << specifier;
    return result && *result;
  };
  EXPECT_TRUE(fits("3.11.2", ">=3.6,<4"));
  EXPECT_TRUE(fits("3.11.2", "==3.11.*"));
  EXPECT_FALSE(fits("3.11.2", "==3.1.*"));
  EXPECT_FALSE(fits("3.11.2", "==3.6.2"));
  EXPECT_TRUE(fits("1.2", "==1.2.0"));
  EXPECT_TRUE(fits("1.4.5", "~=1.4.2"));
  EXPECT_FALSE(fits("1.5.0", "~=1.4.2"));
  EXPECT_TRUE(fits("1.10", ">1.9"));
  EXPECT_TRUE(fits("1.10", "!=1.1"));
  EXPECT_EQ(NormalName("Scikit_Learn..X"), "scikit-learn-x");
}

}  // namespace
}  // namespace slipway::imagebuilder
