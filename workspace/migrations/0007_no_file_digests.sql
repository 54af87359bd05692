-- Layers are remembered by the states of the files that they are made of, which need not be read.
DROP TABLE file_digests;
