import { Stack, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Confirm, type Run } from '@/components/Confirm';
import { FIRST_WAY, UpdateChoice, type Way } from './UpdateChoice';

export interface ApplyDialogProps {
  opened: boolean;
  /** What is in force is fetched anew, without another change. */
  same: boolean;
  /** What is not in force any more then. */
  removed: string[];
  run: Run;
  onClose: () => void;
  onConfirm: (way: Way) => void;
}

/** Says what other sources, or other commits of them, mean before they are asked for. */
export function ApplyDialog({ opened, same, removed, run, onClose, onConfirm }: ApplyDialogProps) {
  const [way, setWay] = useState(FIRST_WAY);
  useEffect(() => {
    if (opened) setWay(FIRST_WAY);
  }, [opened]);
  return (
    <Confirm
      opened={opened}
      onClose={onClose}
      title={same ? 'Fetch new commits' : 'Apply the changes'}
      action={same ? 'Fetch' : 'Apply'}
      size="lg"
      harmless
      run={run}
      onConfirm={() => onConfirm(way)}
    >
      <Stack gap="md">
        <Text size="sm">
          {same
            ? 'Each branch and tag is asked for what it stands for now. A source that names a commit stays where it is.'
            : 'All sources are sent together. Branches and tags of the others are asked anew, too.'}
        </Text>
        {removed.length > 0 && (
          <Text size="sm">
            No more used: <b>{removed.join(', ')}</b>. This is refused while modules from there are installed.
          </Text>
        )}
        <UpdateChoice fetched="The sources are fetched and looked at, and Python packages built, while Odoo serves." way={way} onChange={setWay} />
      </Stack>
    </Confirm>
  );
}
