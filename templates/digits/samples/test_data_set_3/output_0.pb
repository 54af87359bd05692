
BprobabilitiesJ(Hw@:Ç/B6Îf9Ya?ú¬"3C©8EnJ6ÄŠ4n¾z:Çø9