"""Objects that find themselves: posed photographs without any mask -> where the object is, and its silhouettes.

After the coarse stage of Wang et al., "AutoRecon: Automated 3D object discovery and reconstruction", CVPR 2023.
"""
