import { Combobox, Text, UnstyledButton, useCombobox } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconCheck, IconPlus, IconSelector } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { NewOrganizationDialog } from '@/pages/organization/NewOrganizationDialog';
import { useSession } from './session';
import classes from './shell.module.css';

/** From so many on, a list is searched and not read. */
const SEARCHED = 7;
const NEW = 'new organization';

/** The organization of this tab, and the way to another one. */
export function OrganizationMenu() {
  const { user, organization, switchTo } = useSession();
  const navigate = useNavigate();
  const [search, setSearch] = useState('');
  const [making, { open: make, close: closeMaking }] = useDisclosure();
  const searched = user.organizations.length >= SEARCHED;
  const menu = useCombobox({
    onDropdownOpen: () => {
      if (searched) menu.focusSearchInput();
      menu.updateSelectedOptionIndex('active');
    },
    onDropdownClose: () => {
      menu.resetSelectedOption();
      setSearch('');
    },
  });
  useEffect(() => {
    if (search) menu.selectFirstOption();
    // What matches has been rendered by now.
  }, [search]);
  const words = search.trim().toLowerCase();
  const shown = user.organizations.filter((o) => `${o.name} ${o.slug}`.toLowerCase().includes(words));
  const choose = (value: string) => {
    menu.closeDropdown();
    if (value === NEW) return make();
    if (value === organization.slug) return;
    switchTo(value);
    void navigate({ to: '/' });
  };
  return (
    <>
      <Combobox store={menu} width={280} position="bottom-start" withinPortal onOptionSubmit={choose}>
        <Combobox.Target targetType="button">
          <UnstyledButton
            className={`${classes.account} ${classes.organizationTarget}`}
            aria-label={`Organization: ${organization.name}`}
            onClick={() => menu.toggleDropdown()}
            data-testid="organization-menu"
          >
            <Initials name={organization.name} />
            <Text size="sm" fw={500} truncate maw={{ base: 84, xs: 160, sm: 240 }}>
              {organization.name}
            </Text>
            <IconSelector size={14} aria-hidden />
          </UnstyledButton>
        </Combobox.Target>
        <Combobox.Dropdown>
          {searched && (
            <Combobox.Search
              value={search}
              onChange={(event) => setSearch(event.currentTarget.value)}
              placeholder="Search organizations"
              aria-label="Search organizations"
            />
          )}
          <Combobox.Options aria-label="Organizations">
            <div className={classes.organizations}>
              {shown.map((o) => (
                <Combobox.Option key={o.slug} value={o.slug} active={o.slug === organization.slug}>
                  <span className={classes.organization}>
                    <Initials name={o.name} />
                    <span style={{ minWidth: 0, flex: 1 }}>
                      <Text size="sm" truncate>
                        {o.name}
                      </Text>
                      <Text size="xs" c="dimmed">
                        {o.role}
                      </Text>
                    </span>
                    {o.slug === organization.slug && <IconCheck size={16} aria-label="current" />}
                  </span>
                </Combobox.Option>
              ))}
              {shown.length === 0 && <Combobox.Empty>None matches</Combobox.Empty>}
            </div>
            <div className={classes.organizationFoot}>
              <Combobox.Option value={NEW} data-testid="new-organization">
                <span className={classes.organization}>
                  <IconPlus size={16} aria-hidden /> New organization
                </span>
              </Combobox.Option>
            </div>
          </Combobox.Options>
        </Combobox.Dropdown>
      </Combobox>
      <NewOrganizationDialog
        opened={making}
        onClose={closeMaking}
        onMade={(slug) => {
          switchTo(slug);
          void navigate({ to: '/' });
        }}
      />
    </>
  );
}

function Initials({ name }: { name: string }) {
  const letters = name.split(/\s+/).map((word) => [...word][0] ?? '');
  return (
    <span className={classes.initials} aria-hidden>
      {letters.slice(0, 2).join('').toUpperCase()}
    </span>
  );
}
