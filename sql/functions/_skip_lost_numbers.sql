-- The server has crashed since the last claim, which may have taken the build numbers of the last claims back, as if
-- they had never been drawn, while slaves hold them: leaves out more numbers than can be lost so. That is what is
-- claimed within three times wal_writer_delay, 0.6 s as servers come: some thousand. This one claim's commit waits for
-- the disk, and the other claims wait for it.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._skip_lost_numbers() RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
BEGIN
    LOCK TABLE uncrashed IN EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM uncrashed u WHERE u.id = 1) THEN
        RETURN;
    END IF;
    PERFORM set_config('synchronous_commit', 'on', true);
    PERFORM setval('build_id_seq', nextval('build_id_seq') + 100000);
    INSERT INTO uncrashed DEFAULT VALUES;
END
$$;
