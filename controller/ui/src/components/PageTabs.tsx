import { Tabs } from '@mantine/core';
import { useEffect, useRef, type ReactNode } from 'react';

export interface PageTab {
  value: string;
  label: string;
  hidden?: boolean;
  render: () => ReactNode;
}

/** The tabs of a page; the chosen one is part of the address. Only it is mounted. */
export function PageTabs({ tabs, value, onChange }: { tabs: PageTab[]; value: string | undefined; onChange: (value: string) => void }) {
  const shown = tabs.filter((tab) => !tab.hidden);
  const current = shown.find((tab) => tab.value === value) ?? shown[0];
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // On a narrow screen the chosen one may be beyond the edge.
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [current?.value]);
  return (
    <Tabs
      value={current?.value ?? null}
      onChange={(next) => next && onChange(next)}
      keepMounted={false}
      // Going past a tab must not open a shell.
      activateTabWithKeyboard={false}
    >
      <Tabs.List ref={list} mb="md" style={{ flexWrap: 'nowrap', overflowX: 'auto', overflowY: 'hidden' }}>
        {shown.map((tab) => (
          <Tabs.Tab key={tab.value} value={tab.value} data-testid={`tab-${tab.value}`}>
            {tab.label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {current && <Tabs.Panel value={current.value}>{current.render()}</Tabs.Panel>}
    </Tabs>
  );
}
