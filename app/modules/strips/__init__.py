"""The strip of an alert: the waveforms from shortly before it to shortly after."""
