
BprobabilitiesJ(þ·.9â·z?5,Ÿ5>N7j­
<ÎC€:î†:^Ý˜9œü<™;o9