//! The value itself. It can be exposed by a call that is easy to search for, and in no other way.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

/// A secret text. Has neither `Debug` nor `Display` nor `Serialize`; zeroed when the last holder drops it.
#[derive(Clone)]
pub struct Secret(Arc<SecretString>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: String) -> Self {
        Self(Arc::new(SecretString::from(text)))
    }

    /// The text. Give it to the driver and to nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;

    /// Inherent constants win over those of a trait, so `HAS` is true exactly where the bound holds.
    trait Otherwise {
        const HAS: bool = false;
    }

    macro_rules! probe {
        ($name:ident: $bound:path) => {
            mod $name {
                use super::*;
                struct Here<T>(PhantomData<T>);
                impl<T> Otherwise for Here<T> {}
                impl<T: $bound> Here<T> {
                    const HAS: bool = true;
                }
                #[test]
                fn a_secret_has_it_not_but_a_text_has() {
                    const { assert!(!<Here<Secret>>::HAS) };
                    const { assert!(<Here<String>>::HAS) };
                }
            }
        };
    }

    probe!(debug: std::fmt::Debug);
    probe!(display: std::fmt::Display);
    probe!(serialize: serde::Serialize);

    #[test]
    fn a_secret_is_exposed_by_name_only() {
        assert_eq!(Secret::new("s3cret".to_owned()).clone().expose(), "s3cret");
    }
}
