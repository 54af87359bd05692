
BprobabilitiesJ(Б°М4б›8цЌ‹5.‰:гT43.яї8B‡O2”'0¶
°7 Ї?