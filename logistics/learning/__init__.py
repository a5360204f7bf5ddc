"""What the program learns from the merchant's own parcels: transit times and the usual gaps between scans."""
