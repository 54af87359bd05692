
BprobabilitiesJ(èóÈ3Ïç6X7Ôî#;±"<%j8ê6ßIz?Á£R;qu<