"""Heart rate, signal quality and asystole from the ECG of each patient."""
