
BprobabilitiesJ(•ÿb929)„8IbŠ70•z?d §6¨:¤€a9˜¼;ñf<