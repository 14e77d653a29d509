use crate::secret::Secret; use url::Url;
pub struct Filled<'a>{pub user:&'a str,pub password:&'a Secret<String>,pub code:Option<&'a Secret<String>>}
#[derive(Debug)] pub struct Submission{ pub method:http::Method, pub url:Url, pub headers: Vec<(String,String)>, pub body: Secret<Vec<u8>> }
