"""Sample pictures: content nst_harbour.jpg; style nst_swirls.jpg. Painted by examples.painting."""
