-- The registry finds the command behind a follow-up run, to cancel it. Only creations ask for such runs.
CREATE INDEX command_by_follow_up_run ON command USING gin (run_ids)
    WHERE command_type = 'io.pursight.command.CreateDataSource';
