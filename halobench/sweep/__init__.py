"""From a spec to stored records: spec, plan, schedule, session, executors."""
