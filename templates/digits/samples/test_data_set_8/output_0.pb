
BprobabilitiesJ(¹Ñ08*»-6”=Ž:‚Ep8!{7’‡;6Lh!63î48«?KyÀ8