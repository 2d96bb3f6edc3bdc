-- The index is followed from where the original was.
UPDATE piw.feed SET serial = greatest(c.pypi_serial, 0), settled = greatest(c.pypi_serial, 0)
FROM public.configuration c;
