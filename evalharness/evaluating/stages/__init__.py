"""What an evaluation examines once its rows are predicted: a folder a stage."""
