
BprobabilitiesJ(µ≤u7@86r7∫ó7.—77%Ú6\X?4·o0ê ;GΩy2