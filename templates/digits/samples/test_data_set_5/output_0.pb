
BprobabilitiesJ(ๆe6Qพ:@50!9๘sจ6ภท~?Op9@ยง4TD;า0A8