import { Badge, Button, Checkbox, Group, Table, Text, TextInput, Tooltip } from '@mantine/core';
import { IconCheck, IconLock, IconMinus, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Fragment, memo, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { permissionsQuery } from '@/api/identityQueries';
import type { PermissionView } from '@/api/types';
import { ErrorState, LoadingRows } from '@/components/States';
import classes from './access.module.css';
import { closed, includes, matrixOf, toggled, verbTitle, type MatrixRow } from './permissions';

export interface PermissionMatrixProps {
  value: string[];
  /** Without it the table is only shown. */
  onChange?: (value: string[]) => void;
  /** What may be given; all when left out. */
  held?: ReadonlySet<string>;
  /** Begins the sentence on what may not be given. */
  lacking?: string;
  label: string;
  /** Inside a dialog: scrolls by itself. */
  height?: number;
}

/** Resources by viewing, managing and what neither includes. */
export function PermissionMatrix(props: PermissionMatrixProps) {
  const permissions = useQuery(permissionsQuery);
  if (permissions.isPending) return <LoadingRows rows={8} />;
  if (permissions.isError) return <ErrorState error={permissions.error} onRetry={() => void permissions.refetch()} />;
  return <Matrix {...props} permissions={permissions.data} />;
}

function Matrix({ permissions, value, onChange, held, lacking, label, height }: PermissionMatrixProps & { permissions: PermissionView[] }) {
  const [filter, setFilter] = useState('');
  const sections = useMemo(() => matrixOf(permissions), [permissions]);
  const chosen = useMemo(() => new Set(value), [value]);
  const mayGive = (key: string) => !held || includes(held, key);
  const refused = permissions.filter(({ key }) => !mayGive(key));
  const words = filter.trim().toLowerCase();
  const matches = (row: MatrixRow) =>
    !words ||
    [row.title, row.view, row.manage, ...row.special].some((part) =>
      (typeof part === 'string' ? part : part ? `${part.key} ${part.description}` : '').toLowerCase().includes(words),
    );
  const shown = sections.map((s) => ({ ...s, rows: s.rows.filter(matches) })).filter((s) => s.rows.length > 0);
  // One that stays the same: a click then draws one box anew and not all of them.
  const latest = useRef({ value, onChange });
  useEffect(() => {
    latest.current = { value, onChange };
  });
  const toggle = useCallback((key: string) => latest.current.onChange?.(toggled(latest.current.value, key)), []);
  const give = (wanted: PermissionView[]) => {
    // What is chosen and may not be given stays: only a click of its own takes it away.
    const kept = value.filter((key) => !mayGive(key));
    onChange?.(closed([...kept, ...wanted.map(({ key }) => key).filter(mayGive)]));
  };
  const box = (permission: PermissionView | null, text?: string) =>
    permission && (
      <Cell
        permission={permission}
        text={text}
        checked={chosen.has(permission.key)}
        implied={!chosen.has(permission.key) ? false : impliedBy(chosen, permission.key)}
        mayGive={mayGive(permission.key)}
        onToggle={onChange && toggle}
      />
    );
  return (
    <div>
      <Group gap="xs" mb="xs">
        <TextInput
          size="xs"
          w={{ base: '100%', xs: 190 }}
          placeholder="Filter"
          aria-label="Filter the permissions"
          leftSection={<IconSearch size={13} />}
          value={filter}
          onChange={(event) => setFilter(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Enter' && event.preventDefault()}
        />
        {onChange && (
          <>
            <Button size="compact-xs" variant="default" onClick={() => give(permissions.filter(({ key }) => key.startsWith('view:')))}>
              All viewing
            </Button>
            <Button size="compact-xs" variant="default" onClick={() => give(permissions)}>
              Everything
            </Button>
            <Button size="compact-xs" variant="default" onClick={() => onChange([])}>
              None
            </Button>
          </>
        )}
        <Text size="xs" c="dimmed" aria-live="polite" ml="auto" className="numbers">
          {chosen.size} of {permissions.length} chosen
        </Text>
      </Group>
      <div className={classes.matrixFrame} style={height ? { maxHeight: height, overflowY: 'auto' } : undefined}>
        <Table className={classes.matrix} aria-label={label}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Resource</Table.Th>
              <Table.Th className={classes.boxColumn}>View</Table.Th>
              <Table.Th className={classes.boxColumn}>Manage</Table.Th>
              <Table.Th visibleFrom="sm">Beyond that</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((section) => (
              <Fragment key={section.title}>
                <Table.Tr className={classes.section}>
                  <Table.Th colSpan={4} scope="rowgroup">
                    {section.title}
                  </Table.Th>
                </Table.Tr>
                {section.rows.map((row) => (
                  <Table.Tr key={row.resource} data-testid="matrix-row" data-resource={row.resource}>
                    <Table.Th scope="row" className={classes.resource}>
                      {row.title}
                      <Text size="xs" c="dimmed" fw={400} visibleFrom="md">
                        {(row.manage && chosen.has(row.manage.key) ? row.manage : (row.view ?? row.special[0]))?.description}
                      </Text>
                      {row.special.length > 0 && (
                        <Group gap="xs" mt={4} hiddenFrom="sm">
                          {row.special.map((one) => (
                            <Fragment key={one.key}>{box(one, verbTitle(one.key))}</Fragment>
                          ))}
                        </Group>
                      )}
                    </Table.Th>
                    <Table.Td className={classes.boxColumn}>{box(row.view)}</Table.Td>
                    <Table.Td className={classes.boxColumn}>{box(row.manage)}</Table.Td>
                    <Table.Td visibleFrom="sm">
                      <Group gap="md">
                        {row.special.map((one) => (
                          <Fragment key={one.key}>{box(one, verbTitle(one.key))}</Fragment>
                        ))}
                      </Group>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Fragment>
            ))}
          </Table.Tbody>
        </Table>
        {shown.length === 0 && (
          <Text size="sm" c="dimmed" p="md">
            No permission matches.
          </Text>
        )}
      </div>
      {onChange && refused.length > 0 && (
        <Text size="xs" c="dimmed" mt={6} data-testid="matrix-refused">
          <IconLock size={12} style={{ verticalAlign: '-1px' }} aria-hidden /> {lacking ?? 'You do not hold'}{' '}
          {refused.length === 1 ? 'one of these' : `${refused.length} of these`}, so you cannot give{' '}
          {refused.length === 1 ? 'it' : 'them'}.
        </Text>
      )}
    </div>
  );
}

function impliedBy(chosen: ReadonlySet<string>, key: string): boolean {
  return key.startsWith('view:') && chosen.has(key.replace('view:', 'manage:'));
}

interface CellProps {
  permission: PermissionView;
  text?: string;
  checked: boolean;
  implied: boolean;
  mayGive: boolean;
  onToggle?: (key: string) => void;
}

const Cell = memo(function Cell({ permission, text, checked, implied, mayGive, onToggle }: CellProps) {
  if (!onToggle) {
    return (
      <Mark title={permission.description} label={`${permission.description}: ${checked ? 'yes' : 'no'}`}>
        {checked ? <IconCheck size={16} color="var(--oc-good)" /> : <IconMinus size={14} color="var(--oc-idle)" opacity={0.6} />}
        {text && (
          <Text span size="xs" c={checked ? undefined : 'dimmed'}>
            {text}
          </Text>
        )}
      </Mark>
    );
  }
  const reason = implied
    ? 'Managing includes viewing'
    : mayGive
      ? permission.description
      : checked
        ? 'You do not hold this: once taken away, you cannot give it back'
        : 'You do not hold this, so you cannot give it';
  return (
    <Tooltip label={reason} refProp="rootRef" multiline maw={280}>
      <Checkbox
        size="xs"
        label={text}
        aria-label={text ? `${text}: ${permission.description}` : permission.description}
        checked={checked}
        disabled={implied || (!mayGive && !checked)}
        onChange={() => onToggle(permission.key)}
        data-testid={permission.key}
      />
    </Tooltip>
  );
});

function Mark({ title, label, children }: { title: string; label: string; children: ReactNode }) {
  return (
    <span className={classes.mark} title={title} role="img" aria-label={label}>
      {children}
    </span>
  );
}

/** A few words on what a set of permissions comes to. */
export function PermissionSummary({ permissions }: { permissions: string[] }) {
  const manages = permissions.filter((key) => key.startsWith('manage:')).length;
  const views = permissions.filter((key) => key.startsWith('view:')).length;
  const special = permissions.length - manages - views;
  return (
    <Tooltip label={permissions.join(', ') || 'None'} multiline maw={360}>
      <Group gap={4} wrap="nowrap" tabIndex={0} role="group" aria-label={`${permissions.length} permissions`} w="fit-content">
        <Badge size="sm" color="gray">
          {views} view
        </Badge>
        {manages > 0 && <Badge size="sm">{manages} manage</Badge>}
        {special > 0 && (
          <Badge size="sm" color="orange">
            {special} more
          </Badge>
        )}
      </Group>
    </Tooltip>
  );
}
