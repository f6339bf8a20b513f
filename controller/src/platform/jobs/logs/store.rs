//! Every query on `job_logs`.

use crate::error::Result;
use crate::platform::jobs::model::Reported;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{JobId, OrganizationId};
use ocore_shared::protocol::jobs::JobLogLine;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Add log lines; those that are there already are left alone. Returns the newest line up to which there is no gap.
pub async fn job_log_append(connection: &mut PgConnection, job: &Reported, lines: &[JobLogLine]) -> Result<i64> {
    let fresh: Vec<&JobLogLine> = lines.iter().filter(|l| l.seq as i64 > job.log_seq).collect();
    let contiguous = fresh.iter().fold(job.log_seq, |end, line| if line.seq as i64 == end + 1 { end + 1 } else { end });
    let kept: Vec<&&JobLogLine> = fresh.iter().filter(|l| l.seq as i64 <= contiguous).collect();
    if kept.is_empty() {
        return Ok(job.log_seq);
    }
    let seqs: Vec<i64> = kept.iter().map(|l| l.seq as i64).collect();
    let times: Vec<DateTime<Utc>> = kept.iter().map(|l| l.at).collect();
    let steps: Vec<Option<String>> = kept.iter().map(|l| l.step.clone()).collect();
    // PostgreSQL's text takes no NUL; nothing else is changed.
    let texts: Vec<String> = kept.iter().map(|l| l.text.replace('\0', "\u{fffd}")).collect();
    sqlx::query!(
        "insert into job_logs (job_id, organization_id, seq, at, step, text)
         select $1, $2, * from unnest($3::bigint[], $4::timestamptz[], $5::text[], $6::text[])
         on conflict do nothing",
        job.id.0,
        job.organization.0,
        &seqs,
        &times,
        &steps as &[Option<String>],
        &texts
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update jobs set log_seq = greatest(log_seq, $2), log_end = greatest(log_end, $2) where id = $1",
        job.id.0,
        contiguous
    )
    .execute(connection)
    .await?;
    Ok(contiguous)
}

/// Log lines after `after`, oldest first.
pub async fn job_log_list(
    connection: &mut PgConnection, organization: OrganizationId, job: JobId, after: i64, limit: i64,
) -> Result<Vec<JobLogLine>> {
    let rows = sqlx::query!(
        "select seq, at, step, text from job_logs where job_id = $1 and organization_id = $2 and seq > $3
         order by seq limit $4",
        job.0,
        organization.0,
        after,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|r| JobLogLine { seq: r.seq as u64, at: r.at, step: r.step, text: r.text }).collect())
}

/// Forget the logs of these jobs, whose lines are numbered anew.
pub async fn job_log_forget(connection: &mut PgConnection, jobs: &[Uuid]) -> Result<()> {
    sqlx::query!("delete from job_logs where job_id = any($1)", jobs).execute(connection).await?;
    Ok(())
}

/// Forget logs that are older.
pub async fn job_log_prune(system: &PgPool, days: i32) -> Result<u64> {
    let done =
        sqlx::query!("delete from job_logs where at < now() - make_interval(days => $1)", days).execute(system).await?;
    Ok(done.rows_affected())
}
