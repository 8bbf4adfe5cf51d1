"""What every module of the ward stands on; knows nothing of alerts or vitals."""
