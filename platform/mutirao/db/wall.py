"""The SQL of row-level security; what it is for is said in `mutirao.db.tenancy`.

Part of migration 0003. `mutirao_wall()` may be called again at any time: it covers tables that are not covered yet.
"""

# A row is of the project that it names, or of that of the row it belongs to: a job, a collection, a thread. The look at
# that row is under its own table's policy. Of a table that says none of these (workers, workflows) the role only reads.
UP = """
-- A job and what belongs to it are written by one statement, whose checks do not see the job yet; so a new row is refused
-- when its job is somebody else's, which only the owner of the table can tell.
CREATE FUNCTION mutirao_foreign_job(asked uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $foreign$
    SELECT EXISTS (SELECT FROM jobs
        WHERE id = asked AND project_id IS DISTINCT FROM NULLIF(current_setting('mutirao.project', true), '')::uuid)
$foreign$;
CREATE FUNCTION mutirao_wall() RETURNS void LANGUAGE plpgsql AS $wall$
DECLARE
    found record;
    mine constant text := $$NULLIF(current_setting('mutirao.project', true), '')::uuid$$;
    rule text;
    is_there boolean;
BEGIN
    FOR found IN
        SELECT c.relname::text AS name, array_agg(a.attname::text) AS columns
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
        GROUP BY c.relname
    LOOP
        rule := CASE
            WHEN found.name = 'projects' THEN format('id = %s', mine)
            WHEN 'project_id' = ANY (found.columns) THEN format('project_id = %s', mine)
            WHEN found.name = 'chunks' THEN 'EXISTS (SELECT FROM collections p WHERE p.id = collection_id)'
            WHEN found.name IN ('checkpoints', 'checkpoint_blobs', 'checkpoint_writes') THEN
                $$CASE WHEN thread_id ~ '^[0-9a-f-]{36}$' THEN
                    EXISTS (SELECT FROM threads p WHERE p.id = thread_id::uuid) ELSE false END$$
            WHEN 'job_id' = ANY (found.columns) AND found.name <> 'retention_marks' THEN
                'EXISTS (SELECT FROM jobs p WHERE p.id = job_id)'
        END;
        IF rule IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', found.name);
            EXECUTE format('CREATE POLICY own_project ON %I USING (%s)%s', found.name, rule,
                CASE WHEN rule LIKE '%FROM jobs p%' THEN ' WITH CHECK (NOT mutirao_foreign_job(job_id))' END);
        END IF;
    END LOOP;

    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mutirao_api') THEN
            CREATE ROLE mutirao_api NOLOGIN NOBYPASSRLS;
        END IF;
    EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
        NULL;  -- not ours to make, or made by another database of this server just now
    END;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mutirao_api') THEN
        RETURN;
    END IF;
    BEGIN
        IF current_setting('server_version_num')::int >= 160000 THEN
            EXECUTE $$SELECT pg_has_role(current_user, 'mutirao_api', 'SET')$$ INTO is_there;
        ELSE
            is_there := pg_has_role(current_user, 'mutirao_api', 'MEMBER');
        END IF;
        IF NOT is_there THEN
            EXECUTE format('GRANT mutirao_api TO %I', current_user);
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO mutirao_api', current_schema());
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO mutirao_api',
        current_schema());
    FOR found IN
        SELECT c.relname::text AS name, c.relrowsecurity AS covered FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    LOOP
        EXECUTE format('GRANT %s ON %I TO mutirao_api',
            CASE WHEN found.covered THEN 'SELECT, INSERT, UPDATE, DELETE' ELSE 'SELECT' END, found.name);
    END LOOP;
END $wall$;
REVOKE ALL ON FUNCTION mutirao_wall() FROM PUBLIC;
SELECT mutirao_wall();
"""

# The role stays: it belongs to the server, and other databases may use it.
DOWN = """
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT tablename FROM pg_policies WHERE policyname = 'own_project' AND schemaname = current_schema()
    LOOP
        EXECUTE format('DROP POLICY own_project ON %I', found.tablename);
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', found.tablename);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'mutirao_api') THEN
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I REVOKE ALL ON TABLES FROM mutirao_api', current_schema());
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM mutirao_api', current_schema());
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM mutirao_api', current_schema());
    END IF;
END $$;
DROP FUNCTION mutirao_wall();
DROP FUNCTION mutirao_foreign_job(uuid);
"""
