//! Rules of an instance's fields.

use super::model::{database_name_of, slug_of};

#[test]
fn slugs_come_from_names() {
    assert_eq!(slug_of("Acme ERP (prod)"), "acme-erp-prod");
    assert_eq!(slug_of("  Ärger & Co  "), "rger-co");
    assert_eq!(slug_of("ab"), "odoo-ab");
    assert_eq!(slug_of("日本"), "odoo");
    assert_eq!(database_name_of("acme-erp"), "acme_erp");
}
