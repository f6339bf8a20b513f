//! Passwords that are tried first everywhere. No list of millions: such passwords are made by rule, and are known by the
//! same rule. A password is common when, in lower case and with look-alikes read as letters (`p@ssw0rd`), it is one of the
//! words below, once or twice; when it is one character or one short piece again and again; or when it only walks along
//! the keyboard or the alphabet; each with at most six digits and signs before or behind it, or a walk of them
//! (`Welcome2024!`, `a1234567`).

/// Words that stand in front of all lists, and those that this product invites to.
const WORDS: &str = "
    password passwort passw pass motdepasse contrasena heslo haslo senha parola qwerty qwertz qwertyuiop qwertzuiop
    azerty asdf asdfgh asdfghjkl zxcvbn zxcvbnm yxcvbnm qazwsx qazwsxedc abc abcd abcde abcdef abcdefg abcdefgh admin
    administrator administrateur root toor user guest demo test testing tester default change changeme changeit welcome
    willkommen bienvenue hello hallo letmein login access secret geheim master system server oracle mysql postgres
    postgresql database docker linux ubuntu debian odoo ocore openerp internet computer samsung google apple windows
    microsoft monkey dragon sunshine shadow princess football baseball basketball soccer hockey superman batman
    spiderman pokemon starwars matrix trustno iloveyou iloveu loveyou lovely love ninja mustang michael jordan jennifer
    jessica ashley andrew daniel charlie thomas robert george maggie ginger pepper cookie summer winter spring autumn
    sommer january february march april june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday freedom whatever killer hunter harley ranger buster tigger flower purple orange
    silver golden diamond chocolate banana cheese chicken liverpool chelsea arsenal barcelona juventus berlin london
    paris america company office business manager support temp temporary new initial start super star aa a q qw qwe asd
    zxc xyz
";

/// Rows and columns of keyboards, the alphabet, the digits: pieces of them, forwards and backwards, are walks.
const WALKS: &str = "
    abcdefghijklmnopqrstuvwxyz 01234567890123456789 qwertyuiop qwertzuiop asdfghjkl zxcvbnm yxcvbnm azertyuiop
    1q2w3e4r5t6y7u8i9o0p q1w2e3r4t5y6u7i8o9p0 1qaz2wsx3edc4rfv5tgb6yhn7ujm zaq12wsxcde34rfvbgt56yhn
    qazwsxedcrfvtgbyhnujm a1b2c3d4e5f6g7h8i9j0 1a2b3c4d5e6f7g8h9i0j a1s2d3f4g5h6j7k8l9
";
/// Digits and signs around a word that make it no better.
const AROUND: usize = 6;
/// A piece of a walk that counts as one.
const STEPS: usize = 3;

/// Whether everybody tries this first.
pub fn is_common(password: &str) -> bool {
    let lower: Vec<char> = password.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
    is_repeated(&lower) || is_walk(&lower) || is_word(&lower) || is_word(&read_as_letters(&lower))
}

/// What stands for a letter, as a letter.
fn read_as_letters(text: &[char]) -> Vec<char> {
    let letter = |c: &char| match c {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => *other,
    };
    // Digits and signs at the end are rarely meant as letters.
    let end = text.iter().rposition(|c| c.is_alphabetic()).map_or(0, |last| last + 1);
    text[..end].iter().map(letter).chain(text[end..].iter().copied()).collect()
}

/// A word, once or twice, with little around it.
fn is_word(text: &[char]) -> bool {
    let (Some(first), Some(last)) =
        (text.iter().position(|c| c.is_alphabetic()), text.iter().rposition(|c| c.is_alphabetic()))
    else {
        return false;
    };
    let little = |piece: &[char]| piece.len() <= AROUND || is_repeated(piece) || is_walk(piece);
    if !little(&text[..first]) || !little(&text[last + 1..]) {
        return false;
    }
    let core = &text[first..=last];
    if is_repeated(core) || is_walk(core) {
        return true;
    }
    let core: String = core.iter().collect();
    let half = core.len() / 2;
    let twice = core.len() % 2 == 0 && core.is_char_boundary(half) && core[..half] == core[half..];
    let known = |word: &str| WORDS.split_whitespace().any(|known| known == word);
    known(&core) || (twice && known(&core[..half]))
}

/// One piece of at most six characters again and again, perhaps cut off.
fn is_repeated(text: &[char]) -> bool {
    (1..=6.min(text.len() / 2)).any(|size| text.iter().zip(text.iter().skip(size)).all(|(a, b)| a == b))
}

/// Nothing but walks, each of some steps.
fn is_walk(text: &[char]) -> bool {
    let walks: Vec<Vec<char>> = WALKS
        .split_whitespace()
        .flat_map(|walk| [walk.chars().collect::<Vec<char>>(), walk.chars().rev().collect()])
        .collect();
    let mut rest = text;
    while !rest.is_empty() {
        let longest = walks.iter().map(|walk| steps(walk, rest)).max().unwrap_or_default();
        // A sign at the end makes no walk a password.
        let over = rest.len() <= 2 && rest.len() < text.len();
        match longest {
            _ if over => return true,
            steps if steps < STEPS => return false,
            steps => rest = &rest[steps..],
        }
    }
    true
}

/// How far the text goes along a walk.
fn steps(walk: &[char], text: &[char]) -> usize {
    let along = |start: usize| walk[start..].iter().zip(text).take_while(|(a, b)| a == b).count();
    (0..walk.len()).map(along).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_tries_is_known_by_its_rule() {
        let list = "
            password1 password123 Passw0rd p@ssw0rd P@$$w0rd2024! Password1! qwerty123 Qwertyuiop1 1q2w3e4r
            1q2w3e4r5t q1w2e3r4 1qaz2wsx zaq12wsx abc12345 abcd1234 abcdef123 a1b2c3d4 aa123456 a1234567 123456789a
            12345678a admin123 Administrator1 welcome1 Welcome2024! letmein1 iloveyou1 sunshine1 trustno1
            changeme123 secret123 test1234 odoo1234 postgres1 Summer2026 testtest1 aaaaaaa1 abab1abab1 123qwerty
            asdf1234 qwe123qwe123 1qaz2wsx! password!1 november2025 odooodoo1
        ";
        for common in list.split_whitespace().chain(["admin 2024"]) {
            assert!(is_common(common), "{common}");
        }
    }

    #[test]
    fn what_somebody_thought_of_is_not() {
        for good in [
            "a quiet place 7",
            "another place 8",
            "correct horse 1",
            "wrong password 1",
            "Tr4in at dusk",
            "x9-vellum-otter",
            "sunshine over Brno 4",
            "password of my own making 3",
            "7 geese fly north",
            "kjh2398asdlkj",
            "odoo runs 12 shops",
            "qwerty is no 1 idea",
            "Zm4!tRe8",
            "monkey92834751",
        ] {
            assert!(!is_common(good), "{good}");
        }
    }
}
