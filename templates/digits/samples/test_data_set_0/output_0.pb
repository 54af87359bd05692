
BprobabilitiesJ(v?hD7GqÕ7¶º2¶:o7fğ;Pë˜5Ò Ò5Ûx7_ó7