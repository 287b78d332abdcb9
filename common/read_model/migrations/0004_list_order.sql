-- The order of list pages: with it a page joins only the rows that it shows.
CREATE INDEX data_source_by_display ON data_source (tenant_id, name, source_id);
