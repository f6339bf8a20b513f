// Languages that Odoo ships, the countries of ISO 3166, named by the browser in English, and its time zones.

const LANGUAGES =
  'en_US en_GB en_AU en_CA en_IN en_NZ am_ET ar_001 ar_SY az_AZ be_BY bg_BG bn_IN bs_BA ca_ES cs_CZ da_DK de_DE de_CH el_GR ' +
  'es_ES es_419 es_AR es_BO es_CL es_CO es_CR es_DO es_EC es_GT es_MX es_PA es_PE es_PY es_UY es_VE et_EE eu_ES fa_IR fi_FI ' +
  'fr_FR fr_BE fr_CA fr_CH gl_ES gu_IN he_IL hi_IN hr_HR hu_HU id_ID it_IT ja_JP ka_GE km_KH ko_KR lo_LA lt_LT lv_LV mk_MK ' +
  'ml_IN mn_MN ms_MY nb_NO nl_NL nl_BE pl_PL pt_PT pt_BR pt_AO ro_RO ru_RU sk_SK sl_SI sq_AL sr_RS sr@latin sv_SE sw te_IN ' +
  'th_TH tl_PH tr_TR uk_UA vi_VN zh_CN zh_HK zh_TW';

const COUNTRIES =
  'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD ' +
  'CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF ' +
  'GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN ' +
  'KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA ' +
  'NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI ' +
  'SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI ' +
  'VN VU WF WS XK YE YT ZA ZM ZW';

export interface Choice {
  value: string;
  label: string;
}

export function languageChoices(): Choice[] {
  const names = new Intl.DisplayNames('en', { type: 'language', languageDisplay: 'standard' });
  return LANGUAGES.split(' ').map((code) => {
    const tag = code.replace('@latin', '_Latn').replaceAll('_', '-');
    return { value: code, label: `${names.of(tag) ?? code} · ${code}` };
  });
}

export function countryChoices(): Choice[] {
  const names = new Intl.DisplayNames('en', { type: 'region' });
  return COUNTRIES.split(' ')
    .map((code) => ({ value: code, label: `${names.of(code) ?? code} · ${code}` }))
    .sort((a, b) => a.label.localeCompare(b.label));
}

/** Those that the browser knows, with the one that is chosen already, should it not. */
export function timeZoneChoices(chosen: string | null): Choice[] {
  const known = Intl.supportedValuesOf('timeZone');
  return [...new Set(['UTC', ...(chosen ? [chosen] : []), ...known])].map((value) => ({ value, label: value.replaceAll('_', ' ') }));
}
