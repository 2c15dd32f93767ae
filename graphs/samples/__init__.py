"""Sample pictures, painted by examples.painting.

Content: nst_harbour.jpg, nst_lake.jpg, nst_lighthouse.jpg, nst_street.jpg,
nst_still_life.jpg, nst_portrait.jpg (3:4).
Style: nst_swirls.jpg, nst_glass.jpg, nst_linocut.png, nst_dots.jpg, nst_watercolour.jpg,
nst_mosaic.jpg, nst_cubist.jpg, nst_rain.jpg.
"""
