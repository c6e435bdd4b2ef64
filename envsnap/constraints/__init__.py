"""What an author insists on and allows: expressions, how they are judged, who else reads them."""
