import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { filesKey } from '@/api/fileQueries';
import type { FileInfo } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { formatBytes, plural } from '@/lib/format';

/** Asks before a file goes, or a directory with all that is in it: how much that is, is counted first. */
export function DeleteDialog({ instanceId, file, onClose }: { instanceId: string; file: FileInfo; onClose: () => void }) {
  const client = useQueryClient();
  const recursive = file.type === 'directory';
  const params = (dry_run: boolean) => ({ params: { path: { id: instanceId }, query: { path: file.path, recursive, dry_run } } });
  const count = useQuery({
    queryKey: [...filesKey(instanceId), 'count', file.path],
    queryFn: () => unwrap(api.DELETE('/api/instances/{id}/files', params(true))),
    enabled: recursive,
    gcTime: 0,
    retry: false,
  });
  const run = useMutation({
    mutationFn: () => unwrap(api.DELETE('/api/instances/{id}/files', params(false))),
    meta: { showsError: true },
    onSuccess: () => {
      notifications.show({ message: `${file.path} is deleted` });
      onClose();
    },
    onSettled: () => void client.invalidateQueries({ queryKey: filesKey(instanceId) }),
  });
  return (
    <Confirm opened title={`Delete ${file.name}`} action="Delete" keep="Keep it" run={run} onClose={onClose} onConfirm={() => run.mutate()}>
      {recursive ? (
        count.data ? (
          <>
            {plural(count.data.files, 'file')} in {plural(count.data.directories, 'directory', 'directories')}, {formatBytes(count.data.bytes)}. They
            cannot be brought back.
          </>
        ) : (
          'The directory with all that is in it. It cannot be brought back.'
        )
      ) : (
        <>{formatBytes(file.size)}. It cannot be brought back.</>
      )}
    </Confirm>
  );
}
