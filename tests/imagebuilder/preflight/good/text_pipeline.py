# SPDX-License-Identifier: Apache-2.0
import json, os, re, string
from collections import Counter, defaultdict
import nltk
from nltk.tokenize import word_tokenize
from azureml.core.model import Model
import pickle

STOP = frozenset(["a", "the"])
PATTERN = re.compile(r"[%s]" % re.escape(string.punctuation))

def tokens(text):
    return [t for t in word_tokenize(PATTERN.sub(" ", text.lower())) if t not in STOP]

def init():
    global vectorizer, classifier
    nltk.data.path.append(os.path.join(os.path.dirname(__file__), "nltk_data"))
    folder = Model.get_model_path("sentiment")
    with open(os.path.join(folder, "vectorizer.pkl"), "rb") as f, open(os.path.join(folder, "classifier.pkl"), "rb") as g:
        vectorizer, classifier = pickle.load(f), pickle.load(g)

def run(raw):
    try:
        texts = json.loads(raw)
        assert isinstance(texts, list), "a list of texts is wanted"
    except (ValueError, AssertionError) as error:
        return {"error": str(error)}
    else:
        counts = defaultdict(int)
        for t in texts:
            for token, n in Counter(tokens(t)).items():
                counts[token] += n
        labels = classifier.predict(vectorizer.transform(texts))
        return {"labels": [str(l) for l in labels], "tokens": dict(counts)}
    finally:
        del raw
