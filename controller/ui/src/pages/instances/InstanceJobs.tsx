import { IconListCheck } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { jobsQuery } from '@/api/queries';
import { Pager, usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { EmptyState, ErrorState, LoadingRows } from '@/components/States';
import { JobTable } from '@/pages/jobs/JobTable';

export function InstanceJobs({ instanceId }: { instanceId: string }) {
  const paging = usePaging(instanceId);
  const jobs = useQuery({
    ...jobsQuery({ ...paging.query, instance_id: instanceId }),
    placeholderData: keepPreviousData,
  });
  if (jobs.isPending) return <LoadingRows />;
  if (jobs.isError) return <ErrorState error={jobs.error} onRetry={() => void jobs.refetch()} />;
  if (jobs.data.data.length === 0) {
    return <EmptyState icon={<IconListCheck size={22} />} title="No job yet" text="What is done with this instance is listed here." />;
  }
  return (
    <Panel flush>
      <JobTable jobs={jobs.data.data} label="Jobs of the instance" />
      <Pager paging={paging} page={jobs.data} noun="job" />
    </Panel>
  );
}
