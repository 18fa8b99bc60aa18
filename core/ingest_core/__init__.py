"""What the programs share: the contract with users, and the ground they stand on."""
