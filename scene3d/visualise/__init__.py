"""Pictures, meshes, viewers and the report that show what a method found."""
