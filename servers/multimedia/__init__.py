"""Images, recordings and videos to text and facts."""
